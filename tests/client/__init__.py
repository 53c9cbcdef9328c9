"""Tests of the virtual client against a server scripted byte by byte."""
