/**
 * Builds and packs what is published: JavaScript and declarations, with manifests whose entries point at them. The
 * repository itself never builds; its manifests point at the TypeScript sources.
 *
 *   npm run pack            -> .cache/packs/*.tgz
 */
import { execFileSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const root = join(import.meta.dirname, '..')

interface Manifest {
  name: string
  exports?: Record<string, string>
  [field: string]: unknown
}

/** `./src/node.ts` -> `./dist/node.js`, with its declarations. What lies in a `testing` folder is for this repository only. */
function publishedExports(exports: Record<string, string>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(exports).flatMap(([entry, file]): [string, unknown][] => {
      if (/\/src\/[^/]+\/testing\//.test(file)) return []
      if (!file.endsWith('.ts')) return [[entry, file]]
      const base = file.replace(/^\.\/src\//, './dist/').replace(/\.ts$/, '')
      return [[entry, { types: `${base}.d.ts`, default: `${base}.js` }]]
    }),
  )
}

/** Packs every package below `packages/` into `out`; returns the tarballs by package name. */
export function packAll(out: string): Map<string, string> {
  const staging = join(out, 'staging')
  rmSync(out, { recursive: true, force: true })
  mkdirSync(staging, { recursive: true })
  execFileSync(
    process.execPath,
    [join(root, 'node_modules/typescript/bin/tsc'), '-p', join(root, 'tsconfig.build.json'), '--outDir', staging],
    { stdio: 'inherit' },
  )
  const tarballs = new Map<string, string>()
  for (const folder of readdirSync(join(root, 'packages'))) {
    const source = join(root, 'packages', folder)
    const target = join(out, folder)
    const manifest = JSON.parse(readFileSync(join(source, 'package.json'), 'utf8')) as Manifest
    if (manifest['private'] === true) continue
    cpSync(join(staging, folder, 'src'), join(target, 'dist'), { recursive: true })
    for (const extra of ['bin', 'templates', 'README.md']) {
      if (existsSync(join(source, extra))) cpSync(join(source, extra), join(target, extra), { recursive: true })
    }
    cpSync(join(root, 'LICENSE'), join(target, 'LICENSE'))
    if (manifest.exports) manifest.exports = publishedExports(manifest.exports) as Record<string, string>
    writeFileSync(join(target, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`)
    const packed = execFileSync('npm', ['pack', '--json', '--pack-destination', out, target], { encoding: 'utf8' })
    const entries = JSON.parse(packed) as { filename: string }[] | Record<string, { filename: string }>
    const first = Array.isArray(entries) ? entries[0] : Object.values(entries)[0]
    tarballs.set(manifest.name, join(out, first!.filename.replace('@', '').replace('/', '-')))
  }
  rmSync(staging, { recursive: true })
  return tarballs
}

if (process.argv[1] === import.meta.filename) {
  const tarballs = packAll(join(root, '.cache/packs'))
  for (const [name, file] of tarballs) process.stdout.write(`${name}  ${file}\n`)
}
