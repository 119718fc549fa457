// Loaded when a reader first asks for the test box of a feature page.
import "../elements/test-box.ts";
