// The theme, before anything is painted: the system's, or the one that was chosen here.
(function () {
    "use strict";
    const system = matchMedia("(prefers-color-scheme: dark)");

    function chosen() {
        try {
            return localStorage.getItem("theme");
        } catch {
            return null; // storage may be blocked
        }
    }

    const print = matchMedia("print");

    /* Paper is white. */
    function apply() {
        const theme = print.matches ? "light" : chosen() ?? (system.matches ? "dark" : "light");

        document.documentElement.dataset.theme = theme;
        document.dispatchEvent(new CustomEvent("themechange"));
    }

    window.toggleTheme = function () {
        const theme = document.documentElement.dataset.theme === "dark" ? "light" : "dark";

        try {
            // The system's own choice needs no memory, and follows it from then on.
            if ((theme === "dark") === system.matches)
                localStorage.removeItem("theme");
            else
                localStorage.setItem("theme", theme);
        } catch {
            // It lasts as long as the page, then.
        }
        document.documentElement.dataset.theme = theme;
        document.dispatchEvent(new CustomEvent("themechange"));
    };
    system.addEventListener("change", apply);
    print.addEventListener("change", apply);
    apply();
})();
