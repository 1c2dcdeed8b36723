"""All 1,200 training digits, with labels."""

_base_ = ['digits.py']
