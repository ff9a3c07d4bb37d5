// Rules for the scripts of the page: classic scripts that share one scope, no modules.
import js from "@eslint/js";
import globals from "globals";

const words = {
  eqeqeq: ["error", "smart"],
  "no-implicit-coercion": ["error", { allow: ["+"] }],
  "no-shadow": "error",
  "no-var": "error",
  "object-shorthand": "error",
  "prefer-const": "error",
  "prefer-template": "error",
  "no-console": "error",
};

export default [
  { ignores: ["**/vendor/**", "**/node_modules/**"] },
  js.configs.recommended,
  {
    files: ["keras_manifold/pages/page/*.js"],
    languageOptions: {
      sourceType: "script",
      globals: { ...globals.browser, d3: "readonly", Plot: "readonly" },
    },
    rules: {
      ...words,
      strict: ["error", "global"],
      // What another script defines is known to the type check only.
      "no-undef": "off",
      "no-redeclare": ["error", { builtinGlobals: false }],
      "no-unused-vars": ["error", { vars: "local" }],
    },
  },
  {
    files: ["tools/page/*.js"],
    languageOptions: { sourceType: "module" },
    rules: words,
  },
];
