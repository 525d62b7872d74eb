from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Rule:
    word: str
    label: str


@dataclass
class Rules:
    rules: list[Rule] = field(default_factory=list)

    def label(self, name):
        return next((rule.label for rule in self.rules if rule.word in name), 'other')


RULES = Rules([Rule('shoe', 'feet'), Rule('hat', 'head')])


def classify_df(df):
    df['CLASS'] = df['NAME'].map(RULES.label)
