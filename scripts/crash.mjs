/** `npm run crash [-- options]`: builds, then kills servers under load and looks what they have kept. */
import { ensureBuilt, ensureInstalled, run } from './prepare.mjs'

ensureInstalled()
if (!ensureBuilt(['server', 'test'])) process.exit(1)
process.exitCode = run(process.execPath, [
  '--conditions=headpond-repository',
  'packages/headpond/dist-test/crash/main.js',
  ...process.argv.slice(2),
])
