/** `npm run interop [-- pattern ...]`: the tests that compare Headpond with the programs it replaces. */
import { spawnSync } from 'node:child_process'
import { compiledTests, ensureBuilt, ensureInstalled } from './prepare.mjs'
import { runTests } from './runner.mjs'

/** @type {{ program: string, args: string[], required: boolean }[]} */
const REFERENCES = [
  { program: 'redis-server', args: ['--version'], required: true },
  { program: 'redis-cli', args: ['--version'], required: true },
  { program: 'redis-benchmark', args: ['--version'], required: false },
  { program: 'memcached', args: ['-V'], required: false },
]

console.log('Compared with:')
const missing = REFERENCES.filter(({ program, args, required }) => {
  const answer = spawnSync(program, args, { encoding: 'utf8' })
  const version = answer.error ? 'not installed' : answer.stdout.trim().split('\n')[0]
  console.log(`  ${program.padEnd(16)} ${version}`)
  return required && answer.error !== undefined
})
if (missing.length > 0) {
  console.error(`\nMissing: ${missing.map(({ program }) => program).join(', ')}. On Debian or Ubuntu:`)
  console.error('  apt-get install redis-server redis-tools memcached')
  process.exit(1)
}

const patterns = process.argv.slice(2)
ensureInstalled()
const built = ensureBuilt(['interop'])
const status = runTests(compiledTests('interop', patterns), patterns)
process.exitCode = built ? status : 1
