"""The judge inside other people's tools: tests, reinforcement learning, evaluation harnesses.

Each module fits one tool and is imported by name: ``testing`` (pytest, unittest), ``trl`` (a reward function) and
``inspect`` (a scorer for inspect-ai; needs ``tinkersql[inspect]``). Only ``Verdict.MATCH`` counts as right.
"""
