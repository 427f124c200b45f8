"""The cards, by dimension. A new benchmark is one card here and one case in tests/test_cards.py."""
