/** Every argument of read_csv: each batch of 1, 7 and 100 rows equals its slice of the whole DataFrame, or is refused. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { CALLS } from './read-calls.ts'
import { installedPandas } from './serial.ts'
import { compareSlices } from './slices.ts'

type Reasons = Record<string, Record<string, RegExp>>

/** What is refused although the original job works, with the reason. */
const REFUSED: Reasons = {
  base: {
    'usecols=[]': /USAGE the call reads no column/,
    "parse_dates=['d'],date_parser=clean": /USAGE .*date_parser is refused: it gets a whole column at once/,
    'squeeze=True': /USAGE .*squeeze is refused: it makes a Series/,
    "usecols=['id'],squeeze=True": /USAGE .*squeeze is refused: it makes a Series/,
  },
  exact: {
    "usecols=['a','b'],dtype='Int64'":
      /READ_DIFFERS '1\.0' makes floats of the column, and '9007199254740993' is no float/,
    "usecols=['b'],dtype='Int64',engine='python'": /READ_DIFFERS '1\.0' makes floats/,
    "index_col='b',usecols=['a','b'],dtype={'b':'Int64'}": /READ_DIFFERS '1\.0' makes floats/,
  },
  money: {
    "converters={'m':counted}": /READ_DIFFERS column 'm', row 0 \(line 2\): the whole file gives .*1/,
    "converters={'m':counted},skiprows=[1]": /READ_DIFFERS column 'm', row 0: the whole file gives .*1/,
  },
}

/** The same without pyarrow, whose texts cannot hold such bytes: there the original job fails. */
const REFUSED_WITHOUT_ARROW: Reasons = {
  bytes: {
    "encoding_errors='surrogateescape'":
      /INPUT_ENCODING rows 0 to 1 hold a lone surrogate \('\\udcff'\).*encoding_errors='replace'/,
  },
}

/** By major version of pandas, what else is refused. */
const REFUSED_BY: Record<number, Reasons> = {
  3: { base: { "parse_dates=['d'],dtype={'d':str},index_col='d'": /READ_DIFFERS the index 'd', row 0 .*T00:00:00/ } },
  2: {
    // This pandas makes texts of the nanoseconds.
    base: {
      "parse_dates=['d'],dtype=str": /READ_DIFFERS column 'd', row 0 .* gives '1704067200000000000'/,
      "parse_dates=['d'],dtype={'d':str},engine='python'": /READ_DIFFERS column 'd', row 0 .* gives '17040672\d+'/,
      "parse_dates=['d'],dtype={'d':str},index_col='d'": /READ_DIFFERS the index 'd', row 0 .* gives '17040672\d+'/,
    },
  },
}
/** The same for every pandas before 3. */
const REFUSED_BEFORE_3: Reasons = {
  base: { "dtype={'name':'S9'}": /READ_DIFFERS .*column 'name'.*bytes/ },
  longer: { 'usecols=[0]': /READ_DIFFERS column 'a' has no cells: the header has no name for the index/ },
  short: { "parse_dates=['c'],engine='python'": /READ_DIFFERS column 'c', row 1 .* gives 'None', .* gives None/ },
}

/** Arguments that only some versions of pandas have. */
const CHANGING = [
  ...['date_format', 'dtype_backend', 'infer_datetime_format', 'keep_date_col', 'date_parser', 'delim_whitespace'],
  ...['verbose', 'squeeze', 'prefix', 'mangle_dupe_cols', 'error_bad_lines'],
]

/** Calls that pandas refuses itself. */
const BOTH_FAIL: Record<string, readonly string[]> = {
  base: [
    "engine='python',quoting=csv.QUOTE_NONNUMERIC",
    "encoding='utf-16'",
    "compression='gzip'",
    "dtype={'d':'datetime64[ns]'}",
    "dtype={'name':'U2'}",
    "dtype='int64'",
    "engine='fortran'",
    "dtype={'id':pd.SparseDtype('int64')}",
    "dtype={'n':'timedelta64[ns]'}",
  ],
  gaps: ["dtype={'n':int}"],
  bad: ['', 'dtype=str', "dtype=str,engine='python'", "on_bad_lines='oops'"],
  money: ["converters={'m':Money.of}"],
  bytes: [''],
  nothing: ['', "engine='python'"],
}

const BOTH_FAIL_SINCE_3: Record<string, readonly string[]> = { longer: ['usecols=[0]'] }
const BOTH_FAIL_BEFORE_3: Record<string, readonly string[]> = {
  base: ["dtype={'id':'complex'}", "parse_dates=['d'],dtype='category',index_col='d'"],
}

const BOTH_FAIL_WITH_ARROW: Record<string, readonly string[]> = { bytes: ["encoding_errors='surrogateescape'"] }

const PANDAS = await installedPandas()
const BOTH_FAIL_BY_ARROW = PANDAS.hasArrow ? BOTH_FAIL_WITH_ARROW : {}
const BOTH_FAIL_HERE = PANDAS.major < 3 ? BOTH_FAIL_BEFORE_3 : BOTH_FAIL_SINCE_3

/** Why rowmill refuses a call. Undefined: it does not. */
function reasonFor(file: string, call: string): RegExp | undefined {
  const unknown = CHANGING.find(name => call.includes(`${name}=`) && !PANDAS.readCsv.includes(name))
  if (unknown) return new RegExp(`USAGE .* of pandas [\\d.]+ has no argument '${unknown}'`)
  const before3 = PANDAS.major < 3 ? REFUSED_BEFORE_3[file]?.[call] : undefined
  const withoutArrow = PANDAS.hasArrow ? undefined : REFUSED_WITHOUT_ARROW[file]?.[call]
  return withoutArrow ?? REFUSED_BY[PANDAS.major]?.[file]?.[call] ?? before3 ?? REFUSED[file]?.[call]
}

/** How these calls read the file `base`. */
const WAYS: Record<string, 'Whole' | 'Pieces'> = {
  '': 'Whole',
  'dtype=str': 'Pieces',
  "dtype='string',engine='python'": 'Pieces',
  "dtype={'id':str,'name':str,'n':int,'f':float,'flag':'boolean','d':str}": 'Pieces',
  "dtype={'id':str,'name':str,'n':'Int64','f':float,'flag':bool,'d':str}": 'Whole',
  "dtype={'id':str}": 'Whole',
  "dtype='category'": 'Whole',
  'dtype=str,index_col=0': 'Whole',
  "dtype='string',parse_dates=['d']": 'Whole',
}

test('a file is read in pieces, so that memory does not grow with it, if the call says the dtype of every column', async () => {
  const answers = await compareSlices({ base: Object.keys(WAYS) })
  const found = Object.entries(answers.base).map(([call, [, , way]]) => [call, way])
  assert.deepEqual(Object.fromEntries(found), WAYS)
})

test('bytes of another encoding are named with their line and a likely encoding', async () => {
  const { bytes, utf16 } = await compareSlices({ bytes: ['', "engine='python'"], utf16: ['', "encoding='utf-16'"] })
  for (const answer of Object.values(bytes))
    assert.match(
      answer.join(' '),
      /Line 2 is the first that is not utf-8\. Name the encoding of the file, such as 'cp1252'\./,
    )
  assert.match(
    utf16['']!.join(' '),
    /Line 1 is the first that is not utf-8\. Name the encoding of the file, such as 'utf-16'\./,
  )
  assert.equal(utf16["encoding='utf-16'"]![0], 'same')
})

describe('batches equal the slices of the whole DataFrame', () => {
  const answers = compareSlices(CALLS)
  for (const [file, calls] of Object.entries(CALLS)) {
    test(`${file}: ${calls.length} calls`, async () => {
      for (const [call, [outcome, ...details]] of Object.entries((await answers)[file]!)) {
        const said = `${file}, pd.read_csv(IN, ${call}): ${outcome} ${details.join(' ')}`
        const reason = reasonFor(file, call)
        const fails =
          BOTH_FAIL[file]?.includes(call) ||
          BOTH_FAIL_HERE[file]?.includes(call) ||
          BOTH_FAIL_BY_ARROW[file]?.includes(call)
        const expected = reason ? 'refused' : fails ? 'both fail' : 'same'
        assert.equal(outcome, expected, said)
        if (reason) assert.match(details.join(' '), reason)
      }
    })
  }
})
