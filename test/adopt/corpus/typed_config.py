from __future__ import annotations

from dataclasses import dataclass

import pandas as pd


@dataclass(frozen=True)
class Config:
    source: str = 'orders.csv'
    target: str = 'out.csv'
    limit: float = 50.0


class Paths:
    SOURCE = 'orders.csv'
    TARGET = 'out.csv'


CONFIG = Config()


def dear(price: float) -> bool:
    return price > CONFIG.limit


def main() -> None:
    df: pd.DataFrame = pd.read_csv(Paths.SOURCE)
    df['dear'] = df['price'].map(dear)
    df.to_csv(Paths.TARGET, index=False)


if __name__ == '__main__':
    main()
