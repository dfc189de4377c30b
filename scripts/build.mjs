/** `npm run build`: compiles every project; fails on a type error, after writing what could be compiled. */
import { ensureBuilt, ensureInstalled } from './prepare.mjs'

ensureInstalled()
process.exitCode = ensureBuilt() ? 0 : 1
