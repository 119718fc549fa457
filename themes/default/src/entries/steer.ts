// The page that steers the model.
import "../elements/steer-page.ts";
