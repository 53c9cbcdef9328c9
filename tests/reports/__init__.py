"""Tests of the reports: views of a result, never a judgement of their own."""
