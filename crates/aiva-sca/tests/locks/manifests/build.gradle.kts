plugins {
    `java-library`
    kotlin("jvm") version "1.8.0"
    id("com.acme.tool").version("3.1.0")
}

val ktor by extra("2.0.0")
val okhttp = "4.9.0"

dependencies {
    implementation("com.squareup.okhttp3:okhttp:$okhttp")
    implementation("io.ktor:ktor-server-core:${ktor}")
    implementation(kotlin("stdlib", "1.8.0"))
    implementation(group = "commons-io", name = "commons-io", version = "2.6")
    testImplementation("org.acme", "three", "1.0")
    "ksp"("org.acme:processor:1.0.0")
    implementation(project(":near"))
}
