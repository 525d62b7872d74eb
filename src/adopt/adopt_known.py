"""Methods and functions that look at other rows, with what each of them does, and those that look at one row alone."""

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

# Methods of a frame, a column, and of lists of their values, which give each row what that row alone says.
ALONE = frozenset(
    """
    abs add add_prefix add_suffix apply append applymap as_unit assign astype between case_when clip combine combine_first
    copy div divide divmod drop dropna endswith eq eval explode extend fillna filter flatten floor floordiv ge get gt insert
    isin isna isnull items iteritems iterrows itertuples join keys le lt map mask merge mod mul multiply ne notna notnull
    parallel_apply pipe pop pow progress_apply progress_map query radd ravel rdiv reindex rename rename_axis replace
    reset_index rmod rmul round rpow rsub rtruediv select_dtypes set_flags set_index startswith strftime sub submit subtract
    to_dict to_frame to_list to_numpy to_period to_pydatetime to_records to_timestamp to_csv tolist total_seconds transform
    repeat truediv tz_convert tz_localize update values view where
    """.split()
)
# Functions of numpy that give each value what that value alone says.
NUMPY_ALONE = frozenset(
    """
    abs absolute add arccos arcsin arctan arctan2 around array asarray ceil char clip column_stack cos deg2rad degrees
    divide equal exp expm1 fabs float32 float64 floor floor_divide fmax fmin full_like greater greater_equal hypot int32 int64
    isclose isfinite isin isinf isnan less less_equal log log10 log1p log2 logical_and logical_not logical_or maximum
    minimum mod multiply nan_to_num not_equal ones_like piecewise power rad2deg radians rint round select sign sin sqrt square
    strings subtract tan tanh timedelta64 datetime64 true_divide trunc vectorize where zeros_like
    """.split()
)
PANDAS_ALONE = frozenset(
    'DataFrame Series array concat cut isna isnull merge notna notnull to_datetime to_timedelta'.split()
)
# Functions of Python that look at all values they are given.
BUILTINS_TOLD = {
    **dict.fromkeys(('sum', 'min', 'max', 'any', 'all'), 'computes over all values'),
    **dict.fromkeys(('sorted', 'reversed'), 'puts the rows into another order'),
    **dict.fromkeys(('set', 'frozenset', 'dict'), 'collects the values of all rows'),
    'next': 'picks one row',
    'getattr': 'takes a method that the text does not name',
}
PROPERTIES = {
    'T': 'makes columns of rows',
    'empty': 'looks at all rows',
    'size': 'counts all values',
    'shape': 'counts the rows',
    'is_unique': 'compares all rows with each other',
    'is_monotonic_increasing': 'compares all rows with each other',
    'is_monotonic_decreasing': 'compares all rows with each other',
    'hasnans': 'looks at the whole column',
    'categories': 'has the values of the whole column',
}
