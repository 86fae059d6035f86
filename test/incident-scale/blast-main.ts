import { BlastRun } from './blast.ts'
import { inFolder } from './in-folder.ts'
import { blastOptions } from './options.ts'

/** `npm run test:blast -- --messages 20000000 --deks 200`. */
const options = blastOptions(process.argv.slice(2))
await inFolder('blast', options.keep, (folder) => new BlastRun(folder, options).run())
