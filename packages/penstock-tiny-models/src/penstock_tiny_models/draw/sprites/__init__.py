"""Every thing's sprite: `SPRITES[name]` for each name of `things.THINGS`."""

from penstock_tiny_models.draw.sprites import (
    beasts,
    buildings,
    nature,
    objects,
    people,
    shapes,
    small_animals,
    vehicles,
)
from penstock_tiny_models.draw.sprites.sprite import Look, Spot, Sprite

_MODULES = (people, beasts, small_animals, nature, buildings, vehicles, objects, shapes)

SPRITES: dict[str, Sprite] = {
    name: value
    for module in _MODULES
    for name, value in vars(module).items()
    if isinstance(value, Sprite)
}

__all__ = ["SPRITES", "Look", "Spot", "Sprite"]
