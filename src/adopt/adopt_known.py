"""Methods and functions of pandas that look at other rows, and what each of them does."""

NEIGHBOURS = (
    'shift',
    'diff',
    'pct_change',
    'rolling',
    'expanding',
    'ewm',
    'ffill',
    'bfill',
    'pad',
    'backfill',
    'interpolate',
)
RUNNING = ('cumsum', 'cumprod', 'cummax', 'cummin', 'cumcount', 'ngroup')
ORDER = ('rank', 'sort_values', 'sort_index', 'nlargest', 'nsmallest', 'argsort', 'searchsorted')
GROUPS = ('groupby', 'pivot', 'pivot_table', 'crosstab', 'transform', 'resample')
EQUALS = ('drop_duplicates', 'duplicated', 'unique', 'nunique', 'value_counts')
CODES = ('qcut', 'factorize', 'get_dummies', 'codes', 'fit', 'fit_transform', 'fit_predict')
PICKS = ('sample', 'head', 'tail', 'iloc', 'iat', 'first', 'last', 'nth')
STATISTICS = (
    'mean',
    'median',
    'std',
    'var',
    'min',
    'max',
    'sum',
    'quantile',
    'mode',
    'count',
    'sem',
    'skew',
    'idxmax',
    'idxmin',
    'corr',
    'zscore',
    'any',
    'all',
)
GUESSES = ('infer_objects', 'convert_dtypes', 'to_numeric')
# What a row alone decides: with --rows any its rows may be dropped or multiplied.
BY_ROW = ('dropna', 'explode', 'query')
MOVES = ('melt', 'stack', 'drop_duplicates', 'head', 'tail', 'sample', 'nlargest', 'nsmallest')
JOINS = ('merge', 'concat', 'merge_asof')
TOLD = {
    **dict.fromkeys(NEIGHBOURS, 'looks at the rows before or after'),
    **dict.fromkeys(RUNNING, 'counts on from row to row'),
    **dict.fromkeys(ORDER, 'compares all rows with each other'),
    **dict.fromkeys(GROUPS, 'looks at all rows of a group'),
    **dict.fromkeys(EQUALS, 'compares all rows with each other'),
    **dict.fromkeys(CODES, 'makes its result from all values of the column'),
    **dict.fromkeys(PICKS, 'picks rows by their place'),
    **dict.fromkeys(STATISTICS, 'computes over the whole column'),
    **dict.fromkeys(GUESSES, 'chooses a type from all values of the column'),
}
