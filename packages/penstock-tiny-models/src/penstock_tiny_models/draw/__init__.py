"""tiny-draw: a caption becomes a drawing program, the program becomes a picture."""
