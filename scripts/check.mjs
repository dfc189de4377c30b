/** `npm run check`: the inner loop. Formats, lints, checks types and floors, runs the fast tests; about a minute. */
import * as path from 'node:path'
import { ROOT, run } from './prepare.mjs'

for (const [script, ...args] of [['format'], ['lint'], ['test', '--fast', ...process.argv.slice(2)]]) {
  const status = run(process.execPath, [path.join(ROOT, `scripts/${script}.mjs`), ...args])
  if (status !== 0) process.exit(status)
}
