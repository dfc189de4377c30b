/**
 * Zstandard, by the reference implementation compiled to WebAssembly. Node has it from 22.15 on, but takes a frame that was
 * cut for a whole one, and Node 20 has not. Streams as Java's clients write them do not say how large their content is.
 */
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'
import { assert } from '../../bytes/assert.ts'
import { Instance, Module, type WasmImports } from '../../bytes/web-assembly.ts'
import type { Compressor } from './codec.ts'
import { CompressionError, TooLargeError } from './compression-error.ts'

/** What the WebAssembly module exports: zstd's own functions, on addresses in its memory. */
interface ZstdModule {
  readonly HEAPU8: Uint8Array
  instantiateWasm: (
    imports: Readonly<Record<string, WasmImports>>,
    receive: (instance: { readonly exports: unknown }) => unknown,
  ) => unknown
  init(): void
  _malloc(sizeBytes: number): number
  _free(address: number): void
  _ZSTD_isError(code: number): number
  _ZSTD_compressBound(sizeBytes: number): number
  _ZSTD_compress(out: number, outBytes: number, source: number, sourceBytes: number, level: number): number
  _ZSTD_decompress(out: number, outBytes: number, source: number, sourceBytes: number): number
}

const LEVEL = 3
const ERROR_OUT_TOO_SMALL = -70

/** Once in a process, since the package keeps one instance. */
export function webAssemblyZstd(): Compressor {
  return (shared ??= createWebAssemblyZstd())
}

let shared: Compressor | undefined

/**
 * The package loads its module asynchronously, and trusts the size that a frame claims; an append cannot wait, and a
 * stranger's frame is not to be trusted. So its module is set up here (the hook is Emscripten's), and its functions called
 * with the room for their output given by us: more, as long as it is too little and allowed.
 */
function createWebAssemblyZstd(): Compressor {
  const require = createRequire(import.meta.url)
  const directory = path.dirname(require.resolve('@bokuweb/zstd-wasm'))
  const { Module: zstd } = require(path.join(directory, 'zstd.js')) as { Module: ZstdModule }
  zstd.instantiateWasm = (imports, receive) => {
    const module = new Module(readFileSync(path.join(directory, 'zstd.wasm')))
    return receive(new Instance(module, imports))
  }
  zstd.init()

  /** The bytes that `run` writes, or its error code. */
  function call(
    bytes: Uint8Array,
    outBytes: number,
    run: (out: number, source: number) => number,
  ): Uint8Array | number {
    const source = allocate(zstd, bytes.length)
    const out = allocate(zstd, outBytes)
    try {
      zstd.HEAPU8.set(bytes, source)
      const result = run(out, source)
      return zstd._ZSTD_isError(result) ? result : zstd.HEAPU8.slice(out, out + result)
    } finally {
      zstd._free(out)
      zstd._free(source)
    }
  }

  return {
    compress(bytes) {
      const outBytes = zstd._ZSTD_compressBound(bytes.length)
      const result = call(bytes, outBytes, (out, source) =>
        zstd._ZSTD_compress(out, outBytes, source, bytes.length, LEVEL),
      )
      assert(typeof result !== 'number', 'zstd has room for what it compresses')
      return result
    },
    decompress(bytes, sizeBytesMax) {
      for (let outBytes = Math.max(4 * bytes.length, 64 * 1024); ; outBytes *= 4) {
        const room = Math.min(outBytes, sizeBytesMax)
        const result = call(bytes, room, (out, source) => zstd._ZSTD_decompress(out, room, source, bytes.length))
        if (typeof result !== 'number') return result
        if (result !== ERROR_OUT_TOO_SMALL) throw new CompressionError('a damaged frame of zstd')
        if (room === sizeBytesMax) throw new TooLargeError(sizeBytesMax)
      }
    },
  }
}

function allocate(zstd: ZstdModule, sizeBytes: number): number {
  const address = zstd._malloc(Math.max(sizeBytes, 1))
  if (address === 0) throw new CompressionError(`no memory for ${sizeBytes} bytes of zstd`)
  return address
}
