"""tiny-draw: a caption becomes a drawing program, the program becomes a picture.

    Drawer(path("tiny-draw")).draw("a cat on a red car", width=512, height=512, seed=1)

The network (`writer`) reads the caption's tokens (`lexicon`) and writes a program (`program`) that
names things (`things`), what joins them and where they stand. `compose` draws the program with
`sprites` on one of the `places`, through a `pen`; `raster` makes pixels of it. The network says
what is drawn, the sprites say what it looks like.
"""

from penstock_tiny_models.draw.drawer import Drawer, Stopped
from penstock_tiny_models.draw.program import Picture

__all__ = ["Drawer", "Picture", "Stopped"]
