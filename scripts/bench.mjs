/** `npm run bench -- <suite> [options]`: builds, then runs a benchmark suite in a process of its own. */
import { ensureBuilt, ensureInstalled, run } from './prepare.mjs'

ensureInstalled()
if (!ensureBuilt(['bench'])) process.exit(1)
process.exitCode = run(process.execPath, [
  '--conditions=headpond-repository',
  'bench/dist/main.js',
  ...process.argv.slice(2),
])
