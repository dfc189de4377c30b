import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** The transcripts beside the tests of a folder, by their names. */
export class TranscriptFiles {
  readonly #directory: string

  constructor(folder: 'admin' | 'authorizer') {
    // The compiled tests lie elsewhere than the transcripts.
    this.#directory = fileURLToPath(new URL(`../../test/kafka/${folder}/transcripts/`, import.meta.url))
  }

  get names(): string[] {
    return readdirSync(this.#directory).sort()
  }

  read(name: string): string {
    return readFileSync(this.#directory + name, 'utf8')
  }

  write(name: string, text: string): void {
    writeFileSync(this.#directory + name, text)
  }
}
