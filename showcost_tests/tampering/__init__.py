"""Manipulations of a data folder, each of which verification must find."""
