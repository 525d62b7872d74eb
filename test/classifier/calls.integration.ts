import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { ReaderChild } from './reader.ts'

/** Write calls, with the arguments that the sink gets and the names that every worker must have. */
const WRITTEN: Record<string, [Record<string, unknown>, string[]]> = {
  'df.to_csv(OUT)': [{}, []],
  'df.to_csv(OUT, index=False)': [{ index: false }, []],
  "frame.to_csv('result.csv', sep=';', na_rep='-')": [{ sep: ';', na_rep: '-' }, []],
  'self.result.to_csv(path_or_buf=OUT, header=["a", \'b\'])': [{ header: ['a', 'b'] }, []],
  "df.to_csv(f'out/{day}.csv', quoting=csv.QUOTE_NONNUMERIC)": [{ quoting: 2 }, []],
  "df.to_csv(OUT, columns=('id', 'name'))": [{ columns: ['id', 'name'] }, []],
  'df.to_csv(OUT, columns=LETTERS)': [{ columns: ['id', 'name'] }, ['LETTERS']],
  'df.to_csv(OUT, index=0, header=None, doublequote=1)': [{ index: false, header: false, doublequote: true }, []],
  'df.to_csv(OUT, float_format=short)': [{}, ['short']],
  "df.to_csv(OUT, compression={'method': 'gzip', 'mtime': 1})": [{ compression: { method: 'gzip', mtime: 1 } }, []],
  '  df.to_csv(\n    OUT,\n    index=False,  # no numbers\n  )': [{ index: false }, []],
}

/** Read calls that are accepted. */
const READ = [
  'pd.read_csv(IN)',
  "df = pd.read_csv('rows.csv')",
  'data: pd.DataFrame = pandas.read_csv(args.input, sep=";")',
  'read_csv(IN, index_col=-1)',
  'pd.read_table(IN)',
  'pd.read_csv(filepath_or_buffer=IN, nrows=+3)',
  "pd.read_csv(IN, dtype={'id': str, 'n': np.int64, 'c': pd.CategoricalDtype(['a', 'b'])})",
  "pd.read_csv(IN, converters={'name': clean, 'x': str.strip, 'y': CODES.get, 'z': Money.of, 'j': json.loads})",
  'pd.read_csv(IN, usecols=LETTERS)',
  'pd.read_csv(IN, usecols=LETTERS[0:1])',
  "pd.read_csv(IN, na_values=[-999, '-', None], true_values={'yes'})",
  'pd.read_csv(IN, skiprows=range(1, 3), names=list(range(2)))',
  'pd.read_csv(IN, **OPTIONS)',
  "pd.read_csv(IN, **{'sep': ';'}, engine='c')",
  ':OPTIONS',
  'call_names:OPTIONS',
  "pd.read_csv(IN, quotechar='\\'', escapechar='\\\\')",
  "pd.read_csv(IN, dtype=dict(id='str'), parse_dates=['d'], nrows=None)",
  'pd.read_csv(IN, index_col=NOTHING)',
  "(df := pd.read_csv(IN, sep=';'))",
  "pd.read_csv(Path(__file__).parent / 'rows.csv')",
  "pd.read_csv(os.path.join(str(folder), 'rows.csv'), dialect=csv.excel_tab)",
]

/** Calls that are refused, with what the message must say. */
const REFUSED: [Record<string, unknown>, RegExp][] = [
  [
    { call: 'pd.read_csv(IN, sep=;)' },
    /^--read "pd\.read_csv\(IN, sep=;\)": this is not Python: .* at character 21\. Example: pd\.read_csv/,
  ],
  [{ call: 'pd.read_excel(IN)' }, /write one call of read_csv or read_table, and nothing around it/],
  [{ call: 'pd.read_csv(IN).fillna(0)' }, /nothing around it.* belongs in the classifier/],
  [{ call: 'import os' }, /write one call/],
  [{ call: 'pd.read_csv(IN); pd.read_csv(IN)' }, /write one call/],
  [{ call: 'pd.read_csv()' }, /the first argument is missing\. Write IN there/],
  [{ call: "pd.read_csv(IN, ';')" }, /';' at character 17: only the file comes without a name/],
  [{ call: "pd.read_csv(IN, seperator=';')" }, /read_csv of pandas [\d.]+ has no argument 'seperator'/],
  [{ call: "pd.read_csv(IN, dtypes='str')" }, /has no argument 'dtypes'\. There is dtype/],
  [
    { call: 'pd.read_csv(IN, skiprows=lambda n: n > 2)' },
    /lambda n: n > 2 at character 26: a lambda has no name.* Give it a name in the module/,
  ],
  [{ call: 'pd.read_csv(IN, nrows=10 * 2)' }, /10 \* 2 at character 23: an expression is not evaluated/],
  [{ call: "pd.read_csv(IN, sep=open('x').read())" }, /is not looked up|a call is not made/],
  [
    { call: 'pd.read_csv(IN,\n  usecols=missing)' },
    /missing at line 2, character 11: the module call_names has no missing/,
  ],
  [{ call: "pd.read_csv(IN, converters={'a': cleen})" }, /the module call_names has no cleen\. There is clean/],
  [{ call: 'pd.read_csv(IN, dtype=np.int65)' }, /the module numpy has no int65\. There is int\d+/],
  [
    { call: "pd.read_csv(IN, converters={'a': os.system})" },
    /os\.system at character 34: only some functions of Python, numpy and pandas/,
  ],
  [
    { call: "pd.read_csv(IN, converters={'a': system})" },
    /Write a function in the module of the classifier that calls this one/,
  ],
  [{ call: "pd.read_csv(IN, converters={'a': pd.read_pickle})" }, /only some functions/],
  [{ call: "pd.read_csv(IN, converters={'a': eval})" }, /has no eval/],
  [{ call: 'pd.read_csv(IN, dtype=clean.__globals__)' }, /has no __globals__/],
  [{ call: 'pd.read_csv(IN, dtype=clean("a"))' }, /a call is not made, except one that makes a dtype or a list/],
  [{ call: 'pd.read_csv(IN, skiprows=list(range(10000000000)))' }, /more than 10000000 items/],
  [{ call: "pd.read_csv(IN, dtype=pd.CategoricalDtype(['a', 'a']))" }, /ValueError/],
  [{ call: 'pd.read_csv(IN, usecols=LETTERS[7])' }, /LETTERS\[7\] at character 25: it has no such item/],
  [{ call: 'pd.read_csv(IN, **LETTERS)' }, /it is no dict of arguments/],
  [{ call: "pd.read_csv(IN, sep=';', sep=',')" }, /',' at character 30: sep is given twice/],
  [{ call: "pd.read_csv(IN, sep=';', **OPTIONS)" }, /OPTIONS at character 28: sep is given twice/],
  [
    { call: 'pd.read_csv(IN, dtype=dict(a=str, **OPTIONS))' },
    /character 23: \*\* is not looked up within another call/,
  ],
  [
    { call: "pd.read_csv(open('rows.csv', encoding='latin-1'))" },
    /open\('rows\.csv', encoding='latin-1'\) at character 13: this is no path\. Write IN there, and give an encoding/,
  ],
  [{ call: 'pd.read_csv(io.StringIO(text))' }, /this is no path/],
  [{ call: "pd.read_csv(Path('rows.csv').open())" }, /this is no path/],
  [{ call: 'pd.read_csv(*args)' }, /\*args at character 13: this is no path/],
  [{ writeCall: "df.to_csv(gzip.open('rows.csv.gz', 'wt'))" }, /this is no path\. Write OUT there/],
  [{ call: "pd.read_csv(IN, dtype={['a']: 'str'})" }, /\{\['a'\]: 'str'\} at character 23: TypeError: unhashable type/],
  [{ call: "pd.read_csv(IN, usecols={['a']})" }, /TypeError: unhashable type/],
  [{ call: "pd.read_csv(IN, nrows=-'a')" }, /-'a' at character 23: TypeError: bad operand/],
  [{ call: `pd.read_csv(IN, nrows=${'-'.repeat(5000)}1)` }, /this is not Python|recursion/],
  [{ call: ':NOTHING' }, /has no dict of arguments named NOTHING/],
  [{ call: 'no_such_module:OPTIONS' }, /there is no module no_such_module/],
  [{ call: 'pd.read_csv(IN, chunksize=1000)' }, /chunksize is refused: .*--batch-rows/],
  [{ call: 'pd.read_csv(IN, iterator=True)' }, /iterator is refused/],
  [{ call: "pd.read_csv(IN, storage_options={'key': 'a'})" }, /storage_options is refused/],
  [{ call: "pd.read_csv(IN, engine='pyarrow')" }, /engine 'pyarrow' has no rows of text to cut/],
  [{ call: "pd.read_csv(IN, parse_dates=[['a', 'b']])" }, /parse_dates that joins columns is refused/],
  [
    { writeCall: 'df.to_csv(OUT, colums=["a"])' },
    /--write .* to_csv of pandas [\d.]+ has no argument 'colums'\. There is columns/,
  ],
  [{ writeCall: "df[['a']].to_csv(OUT)" }, /write one call of to_csv, and nothing around it/],
  [{ writeCall: 'df.to_excel(OUT)' }, /write one call of to_csv/],
]

describe('the calls of --read and --write', () => {
  test('write calls give the arguments of the sink and the names that every worker needs', async t => {
    const reader = new ReaderChild(t, 'call_names.py')
    await reader.next()
    for (const [writeCall, [toCsv, names]] of Object.entries(WRITTEN)) {
      const { last } = await reader.ask({ check: true, writeCall })
      assert.deepEqual(last, { checked: { toCsv, names } }, writeCall)
    }
  })

  test('read calls are accepted', async t => {
    const reader = new ReaderChild(t, 'call_names.py')
    await reader.next()
    for (const call of READ) {
      const { last } = await reader.ask({ check: true, call })
      assert.deepEqual(last.error, undefined, call)
    }
  })

  test('wrong calls are refused in one line that says what, where and what to do', async t => {
    const reader = new ReaderChild(t, 'call_names.py')
    await reader.next()
    for (const [request, message] of REFUSED) {
      const { last } = await reader.ask({ check: true, ...request })
      assert.equal(last.error?.code, 'USAGE', JSON.stringify([request, last]))
      assert.match(last.error.message, message)
      assert.doesNotMatch(last.error.message, /\n/)
    }
  })

  test('the classifier is imported only if a call has names of it', async t => {
    const reader = new ReaderChild(t, 'not_importable.py')
    await reader.next()
    assert.ok((await reader.ask({ check: true, call: 'pd.read_csv(IN, dtype=str)' })).last.checked)
    const { last } = await reader.ask({ check: true, call: 'pd.read_csv(IN, dtype=KINDS)' })
    assert.equal(last.error?.code, 'CLASSIFIER_UNLOADABLE')
  })
})
