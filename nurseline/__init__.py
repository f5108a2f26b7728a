"""Nurseline: a nurse line for patients who had trigger point injections."""
