/** The dashboard in a browser: headless Chromium, where it is installed. */
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { test } from 'node:test'
import { chromium, type Page } from 'playwright-core'
import { produceWins, Stage } from './stage.ts'

const CANDIDATES = [
  process.env['CHROMIUM'],
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
]
const executablePath = CANDIDATES.find((path) => path !== undefined && existsSync(path))
const skip = executablePath === undefined ? 'Chromium is not installed (apt-get install chromium)' : false
if (skip !== false) console.log(`The dashboard was not tested in a browser: ${skip}`)

const TIMEOUT_MS = 60_000

test('the dashboard shows wins as they happen, and finds its monitor again', { skip }, async (t) => {
  const stage = await Stage.set()
  const browser = await chromium.launch({ executablePath: executablePath!, args: ['--no-sandbox'] })
  t.after(async () => {
    await browser.close()
    await stage.strike()
  })
  await produceWins(stage.server, 0, 30)
  const [monitor] = await Promise.all([stage.start('monitor'), stage.start('processor')])
  await stage.caughtUp('monitor')
  const page = await browser.newPage()
  page.setDefaultTimeout(TIMEOUT_MS)
  const faults: string[] = []
  page.on('pageerror', (error) => faults.push(String(error)))
  page.on('dialog', (dialog) => faults.push(`dialog: ${dialog.message()}`))
  page.on('console', (message) => {
    // That the monitor is away for a while is what this test is about.
    if (message.type() === 'error' && !message.location().url.endsWith('/events')) faults.push(message.text())
  })

  // What was before the page was opened.
  await page.goto(stage.url('monitor', '/'))
  await page.waitForSelector('#connection[data-state=live]')
  await shows(page, '#count', '30')
  assert.equal(await page.locator('#leaders li').count(), 7)
  assert.equal(await page.locator('#wins li').count(), 20)

  // What happens while it is open; nothing is loaded again.
  await page.evaluate(() => Object.assign(globalThis, { isTheSamePage: true }))
  const name = '<img src=x onerror=alert(1)>'
  await stage.report({ player: name, game: 'Roulette', amountCents: 1_234_567_89 })
  await shows(page, '#leader', name)
  await shows(page, '#count', '31')
  await shows(page, '#wins li:first-child .cents', '€1,234,567.89')
  await shows(page, '#leaders li:first-child .name', name)
  assert.equal(await page.locator('img').count(), 0, 'a name is text')

  // The monitor is killed; another one takes its place, and the page finds it and what it has missed.
  await stage.kill(monitor)
  await page.waitForSelector('#connection[data-state=lost]')
  await stage.report({ player: 'Ada', game: 'Keno', amountCents: 7 })
  await stage.start('monitor')
  await page.waitForSelector('#connection[data-state=live]')
  await shows(page, '#count', '32')
  await shows(page, '#wins li:first-child .name', 'Ada')
  assert.equal(await page.evaluate(() => 'isTheSamePage' in globalThis), true)
  assert.equal(await page.locator('#wins li').count(), 20)

  // On a telephone nothing hangs over the side.
  await page.setViewportSize({ width: 360, height: 740 })
  assert.equal(await page.evaluate('document.documentElement.scrollWidth <= 360'), true)
  assert.deepEqual(faults, [])
  if (process.env['SCREENSHOT'] !== undefined) {
    await page.setViewportSize({ width: 1200, height: 900 })
    await page.screenshot({ path: process.env['SCREENSHOT'], fullPage: true })
  }
})

async function shows(page: Page, selector: string, text: string): Promise<void> {
  await page.locator(selector, { hasText: text }).waitFor()
}
