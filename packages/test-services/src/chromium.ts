import { requireBinary } from './binaries.ts'

/**
 * Full path of a Chromium for tests in a real browser: what `PLUGWORK_TEST_CHROMIUM` names, else the installed one, else
 * Debian's package. Drive it with `playwright-core`; as root it needs `--no-sandbox`.
 */
export async function chromium(
  env: Readonly<Record<string, string | undefined>> = process.env,
): Promise<{ readonly path: string; readonly args: readonly string[] }> {
  const named = env['PLUGWORK_TEST_CHROMIUM']
  const path =
    named !== undefined && named !== ''
      ? named
      : await requireBinary({
          names: ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'],
          packageName: 'chromium',
        })
  // /dev/shm is small in containers; nobody but the tests is shown pages here.
  return { path, args: ['--disable-dev-shm-usage', ...(process.getuid?.() === 0 ? ['--no-sandbox'] : [])] }
}
