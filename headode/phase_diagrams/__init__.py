"""Sweeps over parameters: independent points, reduced to measures, kept in a Zarr store."""
