#!/usr/bin/env node
import { HEADPOND_VERSION } from '../server/version.ts'

process.stdout.write(`Headpond ${HEADPOND_VERSION}\n`)
