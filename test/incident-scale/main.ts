import { inFolder } from './in-folder.ts'
import { scaleOptions } from './options.ts'
import { ScaleRun } from './run.ts'

/** `npm run test:nuclear -- --gigabytes 5`. */
const options = scaleOptions(process.argv.slice(2))
await inFolder('nuclear', options.keep, (folder) => new ScaleRun(folder, options).run())
