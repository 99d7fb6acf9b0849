import { join } from "node:path";
import { defineConfig } from "@playwright/test";

const out = process.env.HOPCOUNT_OUT ?? "out/browser";

export default defineConfig({
    testDir: ".",
    testMatch: "*.test.mjs",
    outputDir: join(out, "failed"),
    workers: 2, // a file each at a time, with a stack of its own: as many as the cores of a small machine
    timeout: 60000,
    retries: 1, // a test that passes at its second try only is reported as flaky
    globalTimeout: 900000,
    expect: { timeout: 10000 },
    reporter: [["list"], ["junit"]],
    use: {
        browserName: "chromium",
        locale: "en-GB",
        timezoneId: "Europe/Berlin",
        viewport: { width: 1280, height: 900 },
        actionTimeout: 10000,
        screenshot: "only-on-failure",
        launchOptions: {
            executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
            args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking",
                "--disable-component-update", "--disable-sync"],
        },
    },
});
