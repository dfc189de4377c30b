/** Node's own test runner with the flags that all our tests run under. */
import { run } from './prepare.mjs'

const SEEDED = new URL('seeded.mjs', import.meta.url).href

const NODE_FLAGS = [
  '--expose-gc', // some tests measure garbage
  '--conditions=headpond-repository',
  '--test',
  '--test-reporter=spec',
  '--test-concurrency=2',
  '--test-timeout=180000', // of a test, and on Node 20 of a whole file
]

/**
 * Runs the tests and returns the exit code.
 * @param {string[]} files
 * @param {string[]} patterns what the files were chosen by, for the message when there are none
 */
export function runTests(files, patterns) {
  if (files.length === 0) {
    console.error(`No test file's path contains: ${patterns.join(', ')}`)
    return 1
  }
  // A runner started by another runner would report to it instead of us.
  const { NODE_TEST_CONTEXT: _, ...env } = process.env
  const seeded = env.SEED === undefined ? [] : [`--import=${SEEDED}`]
  return run(process.execPath, [...NODE_FLAGS, ...seeded, ...files], env)
}
