"""The network of a float32 graph in fewer bits, and what must stay in float32 for the labels' sake.

network.py says what the network is. Ranges: how large and small its values get (ranges.py against half, calibration.py
for int8). Half: half.py, half_plan.py and keep_search.py (what stays in float32), emulation.py, half_truth.py (what a
device computes). int8: int8.py over qdq.py and transposed.py, sensitivity.py (what stays in float32), int8_speed.py.
"""
