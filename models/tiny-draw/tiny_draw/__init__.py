"""How penstock/tiny-draw is made: captions and programs by a grammar, a small network, ONNX."""
