import { existsSync } from 'node:fs'
import { type Browser, chromium } from 'playwright-core'

const PLACES = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome']
const found = process.env['ROWMILL_TEST_BROWSER_PATH'] ?? PLACES.find(place => existsSync(place))

/** Why the tests in a browser are skipped. False: they run. A missing browser fails where ROWMILL_TEST_BROWSER=required. */
export const withoutBrowser =
  found === undefined && process.env['ROWMILL_TEST_BROWSER'] !== 'required'
    ? 'no Chromium here: apt-get install chromium'
    : false

/** Debian's Chromium. Nothing is downloaded. */
export async function openBrowser(): Promise<Browser> {
  if (found === undefined) throw new Error('no Chromium here: apt-get install chromium')
  return chromium.launch({ executablePath: found, args: ['--no-sandbox', '--disable-gpu'] })
}
