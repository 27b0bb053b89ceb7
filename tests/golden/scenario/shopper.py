"""Stands for a Locust file: the golden files name it, nobody runs it."""
