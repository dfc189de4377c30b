/** Loaded before each test when `SEED` is set: properties take their cases from it, as our own generators do. */
import fc from 'fast-check'

fc.configureGlobal({ ...fc.readConfigureGlobal(), seed: Number(process.env.SEED) | 0 })
