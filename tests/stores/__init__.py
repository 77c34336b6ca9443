"""Tests of stores: real files in and out."""
