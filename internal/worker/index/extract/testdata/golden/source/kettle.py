#!/usr/bin/env python3
# -*- coding: utf-8 -*-
# SPDX-License-Identifier: MIT
"""Boil water on a schedule.

This module knows one kettle at a time.
"""

TEXT = """
# not a comment in this long string
"""


def boil(litres):
    """Boil some water.

    Args:
        litres: how much water to boil, at most two.

    >>> boil(1)
    True
    """
    # Heat first, since a cold kettle does not whistle and nobody would come.
    return litres < 2
