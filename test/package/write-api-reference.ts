import { rmSync } from 'node:fs'
import { API_REFERENCE_FOLDER, writeApiReference } from './api-reference.ts'

rmSync(API_REFERENCE_FOLDER, { recursive: true, force: true })
await writeApiReference(API_REFERENCE_FOLDER)
