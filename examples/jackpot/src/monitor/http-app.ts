import { readFileSync } from 'node:fs'
import type { Logger } from 'headpond-examples-shared'
import { Hono } from 'hono'
import { streamSSE } from 'hono/streaming'
import type { Leaderboard } from './leaderboard.ts'
import type { LiveFeed } from './live-feed.ts'

const FILES = [
  { path: '/', file: 'index.html', type: 'text/html; charset=utf-8' },
  { path: '/page.css', file: 'page.css', type: 'text/css; charset=utf-8' },
  { path: '/page.js', file: 'page.js', type: 'text/javascript; charset=utf-8' },
]
const SECURITY = {
  'Content-Security-Policy':
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src data:",
  'X-Content-Type-Options': 'nosniff',
}

/**
 *     GET /              the page
 *     GET /events        server-sent events
 *     GET /leaderboard   the same at this moment, as JSON
 */
export function monitorApp(leaderboard: Leaderboard, feed: LiveFeed, log: Logger): Hono {
  const app = new Hono()
  for (const { path, file, type } of FILES) {
    const content = readFileSync(new URL(`../../page/${file}`, import.meta.url), 'utf8')
    app.get(path, (c) => c.body(content, 200, { 'Content-Type': type, 'Cache-Control': 'no-cache', ...SECURITY }))
  }
  app.get('/events', (c) =>
    streamSSE(
      c,
      (page) => feed.serve(page),
      async (error) => log.warn({ err: error }, 'page lost'),
    ),
  )
  app.get('/leaderboard', async (c) => c.json(await leaderboard.overview(100)))
  app.notFound((c) => c.json({ error: 'not found' }, 404))
  app.onError((error, c) => {
    log.error({ err: error }, 'request failed')
    return c.json({ error: 'try again' }, 503)
  })
  return app
}
