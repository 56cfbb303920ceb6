"""Decides by an explicit limit: is a file slower than another, does it keep its budget. Must not import torch."""
