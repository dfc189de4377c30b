/** What the executable is beside the server: `headpond <name> [arguments]`. */
export interface Subcommand {
  readonly name: string
  /** What follows the name, for the help. */
  readonly usage: string
  readonly summary: string
  /** Resolves with the exit code. Loads its code only now. */
  readonly run: (argv: readonly string[]) => Promise<number>
}

export const subcommands: readonly Subcommand[] = [
  {
    name: 'cli',
    usage: '[options] [command]',
    summary: 'Talk to this or any other server that speaks the Redis protocol (cli --help tells more)',
    run: async (argv) => {
      const { runShell } = await import('./shell/shell.ts')
      return runShell(argv, processStreams())
    },
  },
  {
    name: 'memcached',
    usage: '[options]',
    summary: "Serve in memcached's place, by memcached's own flags (memcached -h tells more)",
    run: async (argv) => {
      const { runMemcached } = await import('./memcached/launch.ts')
      return runMemcached(argv)
    },
  },
  {
    name: 'topic',
    usage: '<list|create|describe|alter|delete|tail|produce> ...',
    summary: 'Topics of this or any other Kafka: look after them, read and write (topic --help tells more)',
    run: async (argv) => {
      const [{ runVerb }, { topicFamily }] = await Promise.all([
        import('./kafka/run.ts'),
        import('./kafka/topic/family.ts'),
      ])
      return runVerb(topicFamily, argv, processStreams())
    },
  },
  {
    name: 'group',
    usage: '<list|describe|reset-offsets|delete> ...',
    summary: 'Consumer groups of this or any other Kafka (group --help tells more)',
    run: async (argv) => {
      const [{ runVerb }, { groupFamily }] = await Promise.all([
        import('./kafka/run.ts'),
        import('./kafka/group/family.ts'),
      ])
      return runVerb(groupFamily, argv, processStreams())
    },
  },
  {
    name: 'log',
    usage: '<dump> <file|directory> ...',
    summary: 'Print what is in the files of a log (log --help tells more)',
    run: async (argv) => {
      const [{ runVerb }, { logFamily }] = await Promise.all([
        import('./kafka/run.ts'),
        import('./kafka/log/family.ts'),
      ])
      return runVerb(logFamily, argv, processStreams())
    },
  },
  {
    name: 'check',
    usage: '<directory|file> [--fix] [--yes]',
    summary: 'Verify data files; with --fix, drop what is damaged at the end of the append-only file or a log',
    run: async (argv) => {
      const { runCheck, terminalConsole } = await import('./check.ts')
      return runCheck(argv, terminalConsole)
    },
  },
  {
    name: 'import',
    usage: '<redis://host:port|dump.rdb> [--follow] [--to url]',
    summary: 'Bring all data of a running server or a snapshot here (import --help tells more)',
    run: async (argv) => {
      const { runImport } = await import('./import/import.ts')
      const stopping = new AbortController()
      for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stopping.abort())
      const console = {
        write: (text: string) => void process.stdout.write(text),
        isTerminal: process.stdout.isTTY === true,
      }
      return runImport(argv, { console, env: process.env, stop: stopping.signal })
    },
  },
]

function processStreams() {
  const { stdin: input, stdout: output, stderr: errorOutput, env } = process
  return { input, output, errorOutput, env, signals: process }
}
