"""A procedural street as a dash camera sees it: what stands where, how it is lit, and how it is painted.

Every shape sets the colour and the class of its pixels in one draw call (`canvas.py`), so the labels are exact.
`draw_...` takes random numbers and decides; `paint_...` puts on the canvas what was decided. Order of the work:
`weather.py` (light), `districts.py` and `layout.py` (what stands where), then `backdrop.py`, `ground.py`, the things of
`buildings.py`, `plants.py`, `barriers.py`, `furniture.py`, `vehicles.py` and `people.py` from far to near, `lens.py`.
Needs numpy and Pillow, and must not know about files or label spaces.
"""
