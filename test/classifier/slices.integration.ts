/** Every argument of read_csv: each batch of 1, 7 and 100 rows equals its slice of the whole DataFrame, or is refused. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { CALLS } from './read-calls.ts'
import { python } from './serial.ts'

type Answer = readonly [outcome: 'same' | 'refused' | 'both fail' | 'OTHER', ...details: (string | number)[]]

/** What is refused although the original job works, with the reason. */
const REFUSED: Record<string, Record<string, RegExp>> = {
  base: {
    'usecols=[]': /USAGE the call reads no column/,
    "dtype={'name':'S9'}": /READ_DIFFERS .*dtype of column 'name'.* whole file gives bytes72/,
  },
  bytes: {
    "encoding_errors='surrogateescape'":
      /INPUT_ENCODING rows 0 to 1 hold a lone surrogate \('\\udcff'\).*encoding_errors='replace'/,
  },
  exact: {
    "usecols=['a','b'],dtype='Int64'":
      /READ_DIFFERS '1\.0' makes floats of the column, and '9007199254740995' is no float/,
    "usecols=['b'],dtype='Int64',engine='python'": /READ_DIFFERS '1\.0' makes floats/,
    "index_col='b',usecols=['a','b'],dtype={'b':'Int64'}": /READ_DIFFERS '1\.0' makes floats/,
  },
  money: { "converters={'m':counted}": /READ_DIFFERS column 'm', row 0 \(line 2\): the whole file gives .*1/ },
}

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
  longer: ['usecols=[0]'],
  bad: ['', 'dtype=str', "dtype=str,engine='python'", "on_bad_lines='oops'"],
  money: ["converters={'m':Money.of}"],
  bytes: [''],
  nothing: ['', "engine='python'"],
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
  "dtype=str,parse_dates=['d']": 'Whole',
}

test('a file is read in pieces, so that memory does not grow with it, if the call says the dtype of every column', async () => {
  const answers = JSON.parse(await python('slices.py', { base: Object.keys(WAYS) })) as { base: Record<string, Answer> }
  const found = Object.entries(answers.base).map(([call, [, , way]]) => [call, way])
  assert.deepEqual(Object.fromEntries(found), WAYS)
})

describe('batches equal the slices of the whole DataFrame', () => {
  for (const [file, calls] of Object.entries(CALLS)) {
    test(`${file}: ${calls.length} calls`, async () => {
      const answers = JSON.parse(await python('slices.py', { [file]: calls })) as Record<string, Record<string, Answer>>
      for (const [call, [outcome, ...details]] of Object.entries(answers[file]!)) {
        const said = `${file}, pd.read_csv(IN, ${call}): ${outcome} ${details.join(' ')}`
        const reason = REFUSED[file]?.[call]
        const expected = reason ? 'refused' : BOTH_FAIL[file]?.includes(call) ? 'both fail' : 'same'
        assert.equal(outcome, expected, said)
        if (reason) assert.match(details.join(' '), reason)
      }
    })
  }
})
