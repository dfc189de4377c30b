/** The part of WebAssembly that is used here. It is in every JavaScript engine, but among the types of browsers only. */

export interface WasmMemory {
  /** Another one after the memory has grown. */
  readonly buffer: ArrayBuffer
}

export type WasmModule = object
export type WasmImports = Readonly<Record<string, (...args: number[]) => number | void>>

interface WebAssemblyApi {
  readonly Module: new (bytes: Uint8Array) => WasmModule
  readonly Instance: new (
    module: WasmModule,
    imports: Readonly<Record<string, WasmImports>>,
  ) => { readonly exports: unknown }
  readonly CompileError: new (message?: string) => Error
  readonly RuntimeError: new (message?: string) => Error
}

export const { Module, Instance, CompileError, RuntimeError } = (
  globalThis as unknown as { WebAssembly: WebAssemblyApi }
).WebAssembly

/**
 * Whether an error shows that an instance has come to grief: its memory, its stack or the machine's memory is used up.
 * Anything else is a defect of whoever threw it.
 */
export function isWasmFailure(error: unknown): boolean {
  return error instanceof RangeError || error instanceof RuntimeError
}
