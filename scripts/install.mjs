/** Installs the packages that the lock file names, unless they are there; `npm install` would be free to change it. */
import { ensureInstalled } from './prepare.mjs'

ensureInstalled()
