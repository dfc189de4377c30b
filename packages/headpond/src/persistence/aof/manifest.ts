import { quoteBytes, splitArguments } from '../../config/quoting.ts'

/**
 * Which files the append-only file consists of, as Redis 7 keeps it (aof.c): a base, which is a snapshot or a list of
 * commands, and increments, which are what was done since, in order. Files that a rewrite made superfluous are listed as
 * history until they are deleted.
 *
 *   file appendonly.aof.2.base.rdb seq 2 type b
 *   file appendonly.aof.1.incr.aof seq 1 type h
 *   file appendonly.aof.2.incr.aof seq 2 type i
 */
export interface AofFile {
  readonly name: string
  readonly sequence: number
}

export class ManifestError extends Error {
  readonly line: number

  constructor(problem: string, line: number) {
    super(problem)
    this.name = 'ManifestError'
    this.line = line
  }
}

const LINE_BYTES_MAX = 1024

export class Manifest {
  base: AofFile | null = null
  increments: AofFile[] = []
  history: AofFile[] = []
  /** The highest sequence numbers that were given. */
  baseSequence = 0
  incrementSequence = 0

  /** Throws ManifestError, in Redis's words, which people look for in the log. */
  static parse(text: Buffer): Manifest {
    const manifest = new Manifest()
    const lines = text.toString('latin1').split('\n')
    if (lines.at(-1) === '') lines.pop()
    if (lines.length === 0) throw new ManifestError('Found an empty AOF manifest', 1)
    for (const [index, line] of lines.entries()) {
      if (line.startsWith('#')) continue
      manifest.#add(line, index + 1)
    }
    if (manifest.base === null && manifest.increments.length === 0 && manifest.history.length === 0) {
      throw new ManifestError('Found an empty AOF manifest', lines.length)
    }
    return manifest
  }

  #add(line: string, number: number): void {
    const refuse = (problem: string): never => {
      throw new ManifestError(`${problem}: ${line}`, number)
    }
    if (line.length > LINE_BYTES_MAX) {
      throw new ManifestError('The AOF manifest file contains too long line', number)
    }
    const words = splitArguments(Buffer.from(line.trim(), 'latin1'))?.map((word) => Buffer.from(word).toString())
    // Pairs of names and values, of which later versions may add more.
    if (words === undefined || words.length < 6 || words.length % 2 !== 0)
      return refuse('Invalid AOF manifest file format')
    const values = new Map<string, string>()
    for (let index = 0; index < words.length; index += 2) values.set(words[index].toLowerCase(), words[index + 1])
    const name = values.get('file')
    const sequence = Number(values.get('seq'))
    const type = values.get('type')
    if (name === undefined || name === '') return refuse('Invalid AOF manifest file format')
    if (name.includes('/') || name.includes('\\')) return refuse("File can't be a path, just a filename")
    if (!(Number.isSafeInteger(sequence) && sequence > 0)) return refuse('Invalid AOF manifest file format')
    const file = { name, sequence }
    if (type === 'b') {
      if (this.base !== null) return refuse('Found duplicate base file information')
      this.base = file
      this.baseSequence = sequence
    } else if (type === 'i') {
      if (sequence <= this.incrementSequence) return refuse('Found a non-monotonic sequence number')
      this.increments.push(file)
      this.incrementSequence = sequence
    } else if (type === 'h') {
      this.history.push(file)
    } else {
      return refuse('Unknown AOF file type')
    }
  }

  format(): string {
    const line = ({ name, sequence }: AofFile, type: string) => `file ${quoted(name)} seq ${sequence} type ${type}\n`
    return [
      ...(this.base === null ? [] : [line(this.base, 'b')]),
      ...this.history.map((file) => line(file, 'h')),
      ...this.increments.map((file) => line(file, 'i')),
    ].join('')
  }

  /** What has to be loaded, in order. */
  get live(): AofFile[] {
    return [...(this.base === null ? [] : [this.base]), ...this.increments]
  }

  copy(): Manifest {
    const copy = new Manifest()
    copy.base = this.base
    copy.increments = [...this.increments]
    copy.history = [...this.history]
    copy.baseSequence = this.baseSequence
    copy.incrementSequence = this.incrementSequence
    return copy
  }

  /** What is added gets higher numbers than those that another one has given. */
  numberAfter({ baseSequence, incrementSequence }: Manifest): void {
    this.baseSequence = Math.max(this.baseSequence, baseSequence)
    this.incrementSequence = Math.max(this.incrementSequence, incrementSequence)
  }

  nextBase(fileName: string, isRdb: boolean): AofFile {
    const sequence = this.baseSequence + 1
    return { name: `${fileName}.${sequence}.base.${isRdb ? 'rdb' : 'aof'}`, sequence }
  }

  nextIncrement(fileName: string): AofFile {
    const sequence = this.incrementSequence + 1
    return { name: `${fileName}.${sequence}.incr.aof`, sequence }
  }

  addIncrement(file: AofFile): void {
    this.increments.push(file)
    this.incrementSequence = file.sequence
  }

  /** A rewrite is complete: its base stands for everything before these increments. */
  replaceBase(base: AofFile, increments: readonly AofFile[]): void {
    const kept = new Set(increments.map(({ name }) => name))
    const replaced = this.increments.filter(({ name }) => !kept.has(name))
    this.history = [...replaced, ...(this.base === null ? [] : [this.base]), ...this.history]
    this.increments = [...increments]
    this.base = base
    this.baseSequence = base.sequence
  }
}

function quoted(name: string): string {
  return /[\s"'\\]|[^\x20-\x7e]/.test(name) ? quoteBytes(Buffer.from(name)) : name
}
