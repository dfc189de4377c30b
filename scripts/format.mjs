/** `npm run format`: writes format, import order and the safe fixes of the linter. */
import { ensureInstalled, runTool } from './prepare.mjs'

ensureInstalled()
process.exitCode = runTool('@biomejs/biome/bin/biome', ['check', '--write', ...process.argv.slice(2)])
